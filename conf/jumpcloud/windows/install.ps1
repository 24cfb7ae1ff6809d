# JumpCloud Command (Windows PowerShell, run as SYSTEM): installs devtrust, or replaces it by another version.
# -Package or DEVTRUST_PACKAGE: the path of the archive (.zip), or its https:// URL.
# -Sha256 or DEVTRUST_SHA256: the file's SHA-256; where it is given, another file is not installed.
# One line of output. Exit codes: 0 installed, 1 not.
param([string] $Package = $env:DEVTRUST_PACKAGE, [string] $Sha256 = $env:DEVTRUST_SHA256)
$ErrorActionPreference = 'Stop'
$folder = Join-Path $env:ProgramFiles 'devtrust'
$devtrust = Join-Path $folder 'bin\devtrust.exe'

function Fail([string] $Why) {
  Write-Output "devtrust: not installed: $Why"
  exit 1
}
trap { Fail "$_" }

if (-not [Security.Principal.WindowsIdentity]::GetCurrent().IsSystem) { Fail 'this has to run as SYSTEM' }
if (-not $Package) { Fail 'no archive is named: set DEVTRUST_PACKAGE to its path or its https:// URL' }
# Below Program Files: nobody but administrators can change what lies there between the check and the installation.
$work = Join-Path $env:ProgramFiles "devtrust-install-$([Guid]::NewGuid())"
New-Item -ItemType Directory $work | Out-Null
try {
  $archive = Join-Path $work 'devtrust.zip'
  if ($Package -match '^https://') {
    [Net.ServicePointManager]::SecurityProtocol = [Net.SecurityProtocolType]::Tls12
    $ProgressPreference = 'SilentlyContinue'
    Invoke-WebRequest -UseBasicParsing -TimeoutSec 300 -Uri $Package -OutFile $archive
  } elseif ($Package -match '^[a-z]+://') {
    Fail "$Package is not fetched, since only https:// keeps it from being changed on its way"
  } else {
    if (-not (Test-Path -LiteralPath $Package -PathType Leaf)) { Fail "there is no file $Package" }
    Copy-Item -LiteralPath $Package $archive
  }
  if ($Sha256 -and (Get-FileHash -Algorithm SHA256 $archive).Hash -ne $Sha256) { Fail "the file is not the one whose SHA-256 is $Sha256" }
  Expand-Archive $archive (Join-Path $work 'unpacked')
  $program = Get-ChildItem -Recurse -Filter devtrust.exe (Join-Path $work 'unpacked') | Select-Object -First 1
  if (-not $program) { Fail "there is no devtrust.exe in $Package" }
  # A module that a program has loaded cannot be deleted: the old folder is put aside as a whole first, or nothing is changed.
  $old = Join-Path $work 'old'
  if (Test-Path $folder) { Move-Item $folder $old }
  try {
    Move-Item $program.Directory.Parent.FullName $folder
  } catch {
    if (Test-Path $old) { Move-Item $old $folder }
    throw
  }
} finally {
  Remove-Item -Recurse -Force $work -ErrorAction SilentlyContinue
}
$bin = Split-Path $devtrust
$path = [Environment]::GetEnvironmentVariable('Path', 'Machine')
if ($path.Split(';') -notcontains $bin) { [Environment]::SetEnvironmentVariable('Path', "$path;$bin", 'Machine') }
$version = & $devtrust --version
if ($LASTEXITCODE -ne 0) { Fail "it is there, and does not start: code $LASTEXITCODE" }
Write-Output "${version}: installed"
