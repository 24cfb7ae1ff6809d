# JumpCloud Command (Windows PowerShell, run as SYSTEM): how the certificate of the user at the console is.
# One line of output. Exit codes: those of `devtrust status`: 0 usable, 2 none, 3 expired, 4 renewal overdue, 5 locked,
# 6 misconfigured; 7 no answer; 1 it could not be asked, or nobody is logged in at the console.
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
  Write-Output "devtrust: not known: $Why"
  exit 1
}
trap { Fail "$_" }

if (-not [Security.Principal.WindowsIdentity]::GetCurrent().IsSystem) { Fail 'this has to run as SYSTEM' }
if (-not (Test-Path $devtrust)) {
  Write-Output 'devtrust: not installed'
  exit 1
}
$user = (Get-CimInstance Win32_ComputerSystem).UserName
if (-not $user) { Fail 'nobody is logged in at the console' }
$states = @{ 0 = 'usable'; 2 = 'not-found'; 3 = 'expired'; 4 = 'renewal-overdue'; 5 = 'locked'; 6 = 'misconfigured' }
$code = [int64] (Invoke-AsUser $user 'status')
if ($code -eq 1) { Fail "devtrust status failed for $user" }
if (-not $states.ContainsKey([int] ($code % 256)) -or $code -gt 255) { $code = 7 }
$state = if ($code -eq 7) { 'no-answer' } else { $states[[int] $code] }
Write-Output "devtrust: ${user}: $state"
exit [int] $code
