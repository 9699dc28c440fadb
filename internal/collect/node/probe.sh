#!/bin/sh
# akscert's node probe: all that akscert runs, as root, on a Linux node.
#
# It reads and prints, and does nothing else. It writes no file, opens no
# connection, changes no setting, and evaluates no text as code. All it runs is
# openssl x509, awk, sed, grep, head, tail, tr, cut, readlink and uname.
#
# No secret leaves the node:
#   - kubelet-client-current.pem holds a private key next to its certificate.
#     block(), below, lets whole CERTIFICATE blocks through and nothing else, so
#     that openssl is never given a key.
#   - bootstrap-kubeconfig holds a token. It is not opened, only looked for.
#   - Of settings files, single words are printed, each chosen below.
#
# Azure's run-command gives back only the last 4,096 bytes and no exit status:
# hence the opening and the closing line, the number of lines between them, and
# the limits on what a certificate can make us print.

set -u
LC_ALL=C
export LC_ALL

# Where the node's files are: / on the node itself, /host in a pod made by
# "kubectl debug node/NAME", or a directory given as argument or in AKSCERT_ROOT.
root=${1:-${AKSCERT_ROOT:-}}
if [ -z "$root" ] && [ ! -d /var/lib/kubelet ] && [ -d /host/var/lib/kubelet ]; then
    root=/host
fi

# look PATH succeeds if PATH is a file that can be read, and sets $file to the
# name to open it by. Otherwise it prints one line that says why not:
# "none PATH" (not there) or "fail PATH REASON". It opens nothing.
look() {
    file=$root$1
    # The kubelet links kubelet-client-current.pem to an absolute path, which
    # from outside the node's root would lead astray.
    case $(readlink "$file") in
        /*) file=$root$(readlink "$file") ;;
    esac
    if [ -f "$file" ]; then
        [ -r "$file" ] && return 0
        echo "fail $1 denied"
    elif [ -e "$file" ]; then
        echo "fail $1 no-file"
    elif [ -L "$root$1" ]; then
        echo "fail $1 dangling"
    else
        # To someone who is not root, a file in a closed folder looks absent.
        folder=${file%/*}
        while [ -n "$folder" ] && [ ! -e "$folder" ]; do
            folder=${folder%/*}
        done
        if [ -x "${folder:-/}" ]; then echo "none $1"; else echo "fail $1 denied"; fi
    fi
    return 1
}

# block N reads PEM and prints its Nth CERTIFICATE block if that is whole: from
# its BEGIN to its END line, with nothing but base64 in between. A block that
# something else interrupts, such as the BEGIN line of a key, is not printed.
block() {
    awk -v want="$1" '
        { sub(/[ \t\r]+$/, "") }
        $0 == "-----BEGIN CERTIFICATE-----" { n++; text = $0; inside = (n == want); next }
        inside && $0 == "-----END CERTIFICATE-----" { print text; print; exit }
        inside && /^[A-Za-z0-9+\/=]*$/ { text = text "\n" $0; next }
        { inside = 0 }
    '
}

# describe reads one certificate and prints what an audit needs of it, one field
# to a line. RFC2253 makes openssl escape every control character, so no name
# can begin a line of its own. Names are cut at 110 characters; anything else
# that is longer than it can honestly be is left out.
# The options are those that openssl 1.1.1 and 3 have in common.
describe() {
    openssl x509 -noout -dates -serial -fingerprint -sha256 -subject -issuer \
        -nameopt RFC2253 -ext basicConstraints 2>/dev/null |
        sed -n \
            -e 's/^notBefore=\(.\{1,40\}\)$/from=\1/p' \
            -e 's/^notAfter=\(.\{1,40\}\)$/to=\1/p' \
            -e 's/^serial=\(-\{0,1\}[0-9A-F]\{1,64\}\)$/serial=\1/p' \
            -e '/^[Ss][Hh][Aa]256 Fingerprint=/{s/.*=/sha256=/;s/://g;p;}' \
            -e '/^subject=/{s/= */=/;s/^\(subject=.\{110\}\)..*/\1.../;p;}' \
            -e '/^issuer=/{s/= */=/;s/^\(issuer=.\{110\}\)..*/\1.../;p;}' \
            -e 's/^ *CA:TRUE.*/ca=true/p' \
            -e 's/^ *CA:FALSE.*/ca=false/p'
}

# certificates PATH prints "file PATH", then for each certificate "cert" and its
# fields, or "bad" if openssl cannot read it. Of more than eight, "more" and how
# many. openssl reads one certificate a call, so each is handed over by itself.
certificates() {
    look "$1" || return 0
    count=$(grep -c -e '^-----BEGIN CERTIFICATE-----' "$file")
    if [ "$?" -gt 1 ]; then # 1 is "none found"
        echo "fail $1 unreadable"
        return 0
    fi
    if ! command -v openssl >/dev/null; then
        echo "fail $1 no-openssl"
        return 0
    fi
    echo "file $1"
    i=0
    while [ "$i" -lt "$count" ] && [ "$i" -lt 8 ]; do
        i=$((i + 1))
        fields=$(block "$i" <"$file" | describe)
        if [ -n "$fields" ]; then printf 'cert\n%s\n' "$fields"; else echo bad; fi
    done
    if [ "$count" -gt "$i" ]; then echo "more $((count - i))"; fi
}

# presence PATH prints "seen PATH" if there is such a file. It does not open it.
presence() {
    if look "$1"; then echo "seen $1"; fi
}

# Is the kubelet told to renew its client certificate? A flag beats the file.
# The last of several counts.
rotation() {
    if look /etc/default/kubelet; then
        sed -n -e '/^[[:space:]]*#/d' \
            -e 's/.*--rotate-certificates=\([A-Za-z0-9]\{1,5\}\).*/fact rotate-flag \1/p' \
            -e 's/.*--rotate-certificates\([ "].*\)\{0,1\}$/fact rotate-flag true/p' \
            <"$file" | tail -n 1
    fi
    if look /etc/default/kubeletconfig.json; then
        sed -n 's/.*"rotateCertificates"[[:space:]]*:[[:space:]]*\([a-z]\{1,5\}\).*/fact rotate-config \1/p' \
            <"$file" | tail -n 1
    fi
}

# Which client certificate does the kubelet use? client.crt is the mark of a
# node that was not bootstrapped. Only the words below are ever printed.
kubelet_uses() {
    if look /var/lib/kubelet/kubeconfig; then
        sed -n \
            -e 's|^[ -]*client-certificate:.*/certs/client\.crt.*|fact kubelet-uses client.crt|p' -e t \
            -e 's|^[ -]*client-certificate:.*/pki/kubelet-client-current\.pem.*|fact kubelet-uses current|p' -e t \
            -e 's|^[ -]*client-certificate-data:.*|fact kubelet-uses embedded|p' -e t \
            -e 's|^[ -]*client-certificate:.*|fact kubelet-uses other|p' \
            <"$file" | head -n 1
    fi
}

# The files are those that Azure/AgentBaker writes
# (parts/linux/cloud-init/artifacts/cse_config.sh) and the kubelet renews.
probe() {
    echo "host $(uname -n | tr -cd 'A-Za-z0-9.-' | cut -c 1-63)"
    certificates /var/lib/kubelet/pki/kubelet-client-current.pem
    certificates /var/lib/kubelet/pki/kubelet-server-current.pem
    certificates /etc/kubernetes/certs/kubeletserver.crt
    certificates /etc/kubernetes/certs/client.crt
    certificates /etc/kubernetes/certs/ca.crt
    certificates /etc/kubernetes/certs/apiserver.crt
    presence /var/lib/kubelet/bootstrap-kubeconfig
    # secure-tls-bootstrap.service itself is part of every node image. This file
    # is written when it is configured for this node.
    presence /etc/systemd/system/secure-tls-bootstrap.service.d/10-securetlsbootstrap.conf
    rotation
    kubelet_uses
    echo "done"
}

# Nothing is printed before everything is known: a probe that dies prints no
# closing line.
lines=$(probe 2>/dev/null) || exit 1
echo "akscert-probe begin 1 linux"
printf '%s\n' "$lines"
echo "akscert-probe end $(printf '%s\n' "$lines" | grep -c '')"
