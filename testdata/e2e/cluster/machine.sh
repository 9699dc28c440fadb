#!/bin/sh
# machine.sh ROOT NAME PROGRAM... makes a machine called NAME of the namespaces
# it was started in, with ROOT as its root directory, and stays. Every mount
# below is seen in these namespaces alone and goes with them: to everybody else
# ROOT is a folder of plain files.
set -eu
root=$1
name=$2
shift 2

mkdir -p "$root/dev" "$root/etc" "$root/opt/bin" "$root/proc" "$root/run" "$root/sys" "$root/tmp" "$root/var"
echo "$name" >/proc/sys/kernel/hostname
echo "root:x:0:0::/root:/bin/sh" >"$root/etc/passwd"
echo "root:x:0:" >"$root/etc/group"
# The kubelet looks for the file system of its root in the list of mounts.
mount --bind "$root" "$root"

# The programs are the host's.
for dir in usr bin sbin lib lib32 lib64 libx32 etc/alternatives etc/ssl; do
    if [ -L "/$dir" ]; then
        ln -sfn "$(readlink "/$dir")" "$root/$dir"
    elif [ -d "/$dir" ]; then
        mkdir -p "$root/$dir"
        mount --bind "/$dir" "$root/$dir"
        mount -o remount,bind,ro "$root/$dir"
    fi
done
for program in "$@"; do
    touch "$root/opt/bin/${program##*/}"
    mount --bind "$program" "$root/opt/bin/${program##*/}"
done
for dir in dev proc sys; do
    mount --rbind "/$dir" "$root/$dir"
done

# The kubelet sets these for the whole machine, which here would be the host:
# it gets files to write to.
mkdir -p "$root/run/sysctl"
for setting in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
    copy=$root/run/sysctl/${setting##*/}
    cat "/proc/sys/$setting" >"$copy"
    mount --bind "$copy" "$root/proc/sys/$setting"
done

exec chroot "$root" /bin/sh -c 'touch /run/ready; exec sleep infinity'
