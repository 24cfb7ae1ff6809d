# Puts a device-trust chain into this user's MY store, its key in a CNG provider and not exportable, and signs a commit
# with it through devtrust-smimesign.exe: once with an RSA key, once with an EC key. For the hosted workflow: what it makes
# goes into the stores of the machine, and is removed at the end.
param([Parameter(Mandatory)] [string] $Programs)
$ErrorActionPreference = 'Stop'
$env:PATH = "$((Resolve-Path $Programs).Path);$env:PATH"
$software = 'Microsoft Software Key Storage Provider'

function Invoke-Checked([string] $Program, [string[]] $Arguments) {
  # Windows PowerShell takes a program's standard error for an error of the script.
  $ErrorActionPreference = 'Continue'
  $said = & $Program @Arguments 2>&1 | ForEach-Object { "$_" }
  if ($LASTEXITCODE -ne 0) { throw "$Program $($Arguments -join ' ') ended with ${LASTEXITCODE}: $($said -join ' / ')" }
  $said
}

function Move-Certificate($Certificate, [string] $Store, [string] $Location) {
  $public = New-Object Security.Cryptography.X509Certificates.X509Certificate2 (, $Certificate.RawData)
  $target = New-Object Security.Cryptography.X509Certificates.X509Store $Store, $Location
  $target.Open('ReadWrite')
  $target.Add($public)
  $target.Close()
}

foreach ($kind in @{ KeyAlgorithm = 'RSA'; KeyLength = 2048 }, @{ KeyAlgorithm = 'ECDSA_nistP256'; CurveExport = 'CurveName' }) {
  $made = @()
  $folder = Join-Path ([IO.Path]::GetTempPath()) ([Guid]::NewGuid())
  try {
    $authority = @{ Provider = $software; CertStoreLocation = 'Cert:\CurrentUser\My'; KeyUsage = 'CertSign', 'CRLSign'
      KeyExportPolicy = 'NonExportable'; TextExtension = '2.5.29.19={critical}{text}ca=1' }
    $root = New-SelfSignedCertificate @authority @kind -Subject 'CN=device-trust.root'
    $made += $root
    $intermediate = New-SelfSignedCertificate @authority @kind -Subject 'CN=device-trust.intermediate' -Signer $root
    $made += $intermediate
    $leaf = New-SelfSignedCertificate @kind -Provider $software -CertStoreLocation 'Cert:\CurrentUser\My' -Signer $intermediate `
      -Subject 'CN=JumpCloud Device Trust Certificate' -KeyExportPolicy NonExportable -KeyUsage DigitalSignature `
      -TextExtension '2.5.29.37={text}1.3.6.1.5.5.7.3.2' -NotAfter (Get-Date).AddDays(30)
    $made += $leaf
    # The machine's store: adding a root to the user's own asks the user.
    Move-Certificate $root 'Root' 'LocalMachine'
    Move-Certificate $intermediate 'CA' 'CurrentUser'

    Invoke-Checked 'devtrust.exe' @('status')
    Invoke-Checked 'devtrust.exe' @('setup', 'git')
    Invoke-Checked 'git.exe' @('init', '--quiet', $folder)
    $who = @('-C', $folder, '-c', 'user.name=Alice', '-c', 'user.email=alice@example.com')
    Invoke-Checked 'git.exe' ($who + @('commit', '-S', '--allow-empty', '-m', "Signed with $($kind.KeyAlgorithm)"))
    Invoke-Checked 'git.exe' @('-C', $folder, 'verify-commit', 'HEAD')
    $verdict = Invoke-Checked 'git.exe' @('-C', $folder, 'log', '-1', '--format=%G?')
    if ("$verdict" -ne 'G') { throw "git's verdict on the commit is $verdict, not G" }
    Invoke-Checked 'devtrust.exe' @('unsetup', 'git')
  } finally {
    foreach ($certificate in $made) {
      foreach ($place in 'CurrentUser\My', 'CurrentUser\CA', 'LocalMachine\Root') {
        $path = "Cert:\$place\$($certificate.Thumbprint)"
        if (Test-Path $path) { if ($place -like '*My') { Remove-Item $path -DeleteKey } else { Remove-Item $path } }
      }
    }
    if (Test-Path $folder) { Remove-Item -Recurse -Force $folder }
  }
}
