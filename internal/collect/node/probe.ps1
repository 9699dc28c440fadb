# akscert's node probe: all that akscert runs, as SYSTEM, on a Windows node.
#
# It reads and prints, and does nothing else. It writes no file, opens no
# connection, changes no setting, and evaluates no text as code. Certificates
# are read by .NET; no other program is started.
#
# No secret leaves the node:
#   - kubelet-client-current.pem holds a private key next to its certificate.
#     Only CERTIFICATE blocks are taken out of it, and only fields of them are
#     printed.
#   - bootstrap-config holds a token. It is not opened, only looked for.
#   - Of settings files, single words are printed, each chosen below.
#
# Azure's run-command gives back only the last 4,096 bytes and no exit status:
# hence the opening and the closing line, the number of lines between them, and
# the limits on what a certificate can make us print.
# The lines are those of probe.sh.
#
# For Windows PowerShell 5.1. By hand: powershell -File probe.ps1 > answer.txt

$ErrorActionPreference = 'Stop'
$lines = New-Object System.Collections.Generic.List[string]

# Ascii makes a name printable: what is not a printable ASCII character, and the
# backslash itself, becomes the hexadecimal of its UTF-8 bytes, as in RFC 2253.
# Names are cut at 110 characters.
function Ascii([string]$name) {
    $safe = [regex]::Replace($name, '[^ -\[\]-~]+', {
        param($match)
        -join ([Text.Encoding]::UTF8.GetBytes($match.Value) | ForEach-Object { '\{0:X2}' -f $_ })
    })
    if ($safe.Length -gt 110) { return $safe.Substring(0, 110) + '...' }
    return $safe
}

# Look says whether a file is there. Otherwise it adds one line that says why
# not. It opens nothing.
function Look([string]$path) {
    if ([IO.File]::Exists($path)) { return $true }
    if ([IO.Directory]::Exists($path)) { $lines.Add("fail $path no-file") } else { $lines.Add("none $path") }
    return $false
}

# Text is a file's text, or $null and a line that says why not.
function Text([string]$path) {
    try { return [IO.File]::ReadAllText($path) }
    catch [UnauthorizedAccessException] { $lines.Add("fail $path denied") }
    catch { $lines.Add("fail $path unreadable") }
    return $null
}

# Describe adds the fields of one certificate, given in base64.
function Describe([string]$base64) {
    try {
        $der = [Convert]::FromBase64String($base64)
        # A PKCS#12 would be unpacked, and its key stored. Only certificates.
        if ([Security.Cryptography.X509Certificates.X509Certificate2]::GetCertContentType($der) -ne 'Cert') { throw 'no certificate' }
        $cert = New-Object Security.Cryptography.X509Certificates.X509Certificate2 -ArgumentList (, $der)
        $sha256 = New-Object Security.Cryptography.SHA256CryptoServiceProvider
        $utc = [Globalization.CultureInfo]::InvariantCulture
        $fields = @(
            'cert'
            'from=' + $cert.NotBefore.ToUniversalTime().ToString('yyyy-MM-dd HH:mm:ssZ', $utc)
            'to=' + $cert.NotAfter.ToUniversalTime().ToString('yyyy-MM-dd HH:mm:ssZ', $utc)
            'sha256=' + [BitConverter]::ToString($sha256.ComputeHash($cert.RawData)).Replace('-', '')
            'subject=' + (Ascii $cert.Subject)
            'issuer=' + (Ascii $cert.Issuer)
        )
        if ($cert.SerialNumber.Length -le 64) { $fields += 'serial=' + $cert.SerialNumber }
        $basic = $cert.Extensions | Where-Object { $_.Oid.Value -eq '2.5.29.19' }
        if ($basic) { $fields += 'ca=' + ([string]$basic.CertificateAuthority).ToLower() }
        $lines.AddRange([string[]]$fields)
    }
    catch { $lines.Add('bad') }
}

# Certificates adds "file PATH", then "cert" and its fields for each CERTIFICATE
# block, or "bad" for one that cannot be read. Of more than eight, "more" and
# how many. A block is base64 between its own two marker lines: a key's marker
# in between ends it.
function Certificates([string]$path, [string]$text) {
    $lines.Add("file $path")
    $blocks = [regex]::Matches($text, '-----BEGIN CERTIFICATE-----([^-]*)(-----END CERTIFICATE-----)?')
    for ($i = 0; $i -lt $blocks.Count -and $i -lt 8; $i++) {
        if ($blocks[$i].Groups[2].Success) { Describe $blocks[$i].Groups[1].Value } else { $lines.Add('bad') }
    }
    if ($blocks.Count -gt 8) { $lines.Add("more $($blocks.Count - 8)") }
}

# The files are those that Azure/AgentBaker writes (staging/cse/windows) and the
# kubelet renews.
$lines.Add('host ' + ([Environment]::MachineName -replace '[^A-Za-z0-9.-]', ''))
foreach ($path in 'C:\k\pki\kubelet-client-current.pem', 'C:\k\pki\kubelet-server-current.pem', 'C:\k\pki\kubelet.crt', 'C:\k\ca.crt') {
    if (Look $path) {
        $text = Text $path
        if ($null -ne $text) { Certificates $path $text }
    }
}

# presence of the bootstrap token's file, and of the client of secure TLS
# bootstrapping, which AgentBaker removes from nodes that do not use it.
foreach ($path in 'C:\k\bootstrap-config', 'C:\k\aks-secure-tls-bootstrap-client.exe') {
    if (Look $path) { $lines.Add("seen $path") }
}

# Is the kubelet told to renew its client certificate? The last flag counts.
if (Look 'C:\k\kubeclusterconfig.json') {
    $flags = [regex]::Matches([string](Text 'C:\k\kubeclusterconfig.json'), '--rotate-certificates(=([A-Za-z0-9]{1,5}))?')
    if ($flags.Count -gt 0) {
        $value = $flags[$flags.Count - 1].Groups[2].Value
        if ($value -eq '') { $value = 'true' }
        $lines.Add("fact rotate-flag $value")
    }
}

# Which client certificate does the kubelet use? The kubeconfig of a node that
# was not bootstrapped embeds it, as PEM in base64, next to its key. Only the
# value of client-certificate-data is taken.
if (Look 'C:\k\config') {
    $config = [string](Text 'C:\k\config')
    $data = [regex]::Match($config, '(?m)^[ -]*client-certificate-data:[ "]*([A-Za-z0-9+/=]+)')
    if ($data.Success) {
        $lines.Add('fact kubelet-uses embedded')
        try { Certificates 'C:\k\config' ([Text.Encoding]::ASCII.GetString([Convert]::FromBase64String($data.Groups[1].Value))) }
        catch { $lines.Add('fail C:\k\config unreadable') }
    }
    elseif ($config -match '(?m)^[ -]*client-certificate:.*kubelet-client-current\.pem') { $lines.Add('fact kubelet-uses current') }
    elseif ($config -match '(?m)^[ -]*client-certificate:') { $lines.Add('fact kubelet-uses other') }
}
$lines.Add('done')

# The console's own writer does not wrap long lines. A probe that stopped above
# prints no closing line.
[Console]::Out.WriteLine('akscert-probe begin 1 windows')
foreach ($line in $lines) { [Console]::Out.WriteLine($line) }
[Console]::Out.WriteLine("akscert-probe end $($lines.Count)")
