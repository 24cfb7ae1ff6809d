# JumpCloud Command (Windows PowerShell, run as SYSTEM): sets programs up for the user at the console.
# -Targets or DEVTRUST_TARGETS: what to set up, as `devtrust setup --help` lists it, with blanks between (default: git).
# Run again, it changes nothing. It is to be run again for each other user of the machine, while that user is logged in.
# One line of output. Exit codes: 0 done, or the user has no certificate yet; 1 nothing was tried; 2 failed.
param([string] $Targets = $(if ($env:DEVTRUST_TARGETS) { $env:DEVTRUST_TARGETS } else { 'git' }))
$ErrorActionPreference = 'Stop'
$folder = Join-Path $env:ProgramFiles 'devtrust'
$devtrust = Join-Path $folder 'bin\devtrust.exe'

# The exit code of devtrust.exe as the user at the console, since another user's keys are nobody's, not even SYSTEM's; for
# a minute at most. Nothing that the user could change is read.
function Invoke-AsUser([string] $User, [string] $Arguments) {
  $name = "devtrust-$([Guid]::NewGuid())"
  $action = New-ScheduledTaskAction -Execute $devtrust -Argument $Arguments
  $principal = New-ScheduledTaskPrincipal -UserId $User -LogonType Interactive
  $settings = New-ScheduledTaskSettingsSet -ExecutionTimeLimit (New-TimeSpan -Minutes 1) -AllowStartIfOnBatteries -DontStopIfGoingOnBatteries
  Register-ScheduledTask -TaskName $name -Action $action -Principal $principal -Settings $settings | Out-Null
  try {
    Start-ScheduledTask -TaskName $name
    $deadline = (Get-Date).AddSeconds(70)
    do {
      Start-Sleep -Milliseconds 200
      $result = (Get-ScheduledTaskInfo -TaskName $name).LastTaskResult
    } while ($result -in 0x41301, 0x41303, 0x41325 -and (Get-Date) -lt $deadline) # running, not yet run, queued
    $result
  } finally {
    Stop-ScheduledTask -TaskName $name -ErrorAction SilentlyContinue
    Unregister-ScheduledTask -TaskName $name -Confirm:$false
  }
}

function Fail([string] $Why) {
  Write-Output "devtrust: nothing was set up: $Why"
  exit 1
}
trap { Fail "$_" }

if (-not [Security.Principal.WindowsIdentity]::GetCurrent().IsSystem) { Fail 'this has to run as SYSTEM' }
if (-not (Test-Path $devtrust)) { Fail 'devtrust is not installed' }
if ($Targets -notmatch '^[a-z0-9-]+( [a-z0-9-]+)*$') { Fail "$Targets are no names of targets: devtrust setup --help lists them" }
$user = (Get-CimInstance Win32_ComputerSystem).UserName
if (-not $user) { Fail 'nobody is logged in at the console' }
if ((Invoke-AsUser $user 'status') -eq 2) {
  Write-Output "devtrust: $user has no certificate yet"
  exit 0
}
foreach ($target in $Targets.Split(' ')) {
  $code = Invoke-AsUser $user "setup $target"
  if ($code -ne 0) {
    Write-Output "devtrust: $target could not be set up for $user (code $code): devtrust setup $target, run by that user, says why"
    exit 2
  }
}
Write-Output "devtrust: $Targets set up for $user"
