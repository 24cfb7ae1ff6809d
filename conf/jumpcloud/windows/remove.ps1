# JumpCloud Command (Windows PowerShell, run as SYSTEM): undoes what was set up for the user at the console, then removes
# devtrust. Where it cannot be undone, or nobody is logged in, devtrust stays: programs set up for it would fail without.
# -Force yes or DEVTRUST_FORCE=yes: removes it all the same.
# One line of output. Exit codes: 0 removed, or not there; 1 not removed; 2 removed, and something of a user's may stay.
param([string] $Force = $env:DEVTRUST_FORCE)
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
  Write-Output "devtrust: not removed: $Why"
  exit 1
}
trap { Fail "$_" }

if (-not [Security.Principal.WindowsIdentity]::GetCurrent().IsSystem) { Fail 'this has to run as SYSTEM' }
if (-not (Test-Path $devtrust)) {
  Write-Output 'devtrust: not there'
  exit 0
}
$user = (Get-CimInstance Win32_ComputerSystem).UserName
$undone = $false
if ($user) { $undone = (Invoke-AsUser $user 'unsetup all') -eq 0 }
$stays = if ($user) { "what was set up for $user could not be undone" } else { 'nobody is logged in at the console, for whom to undo what was set up' }
if (-not $undone -and $Force -ne 'yes') { Fail $stays }
Remove-Item -Recurse -Force $folder
$bin = Split-Path $devtrust
$path = [Environment]::GetEnvironmentVariable('Path', 'Machine').Split(';') | Where-Object { $_ -ne $bin }
[Environment]::SetEnvironmentVariable('Path', ($path -join ';'), 'Machine')
if (-not $undone) {
  Write-Output "devtrust: removed; $stays"
  exit 2
}
Write-Output "devtrust: removed, undone for $user"
