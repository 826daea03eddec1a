package redisserver

import (
	"os"
	"syscall"
)

// attributes gives Redis a process group, because a killed Redis leaves the child behind that rewrites its file, and
// ends it with this process: a test that runs into its time limit panics, and cleans nothing up.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

func kill(p *os.Process) error   { return syscall.Kill(-p.Pid, syscall.SIGKILL) }
func pause(p *os.Process) error  { return p.Signal(syscall.SIGSTOP) }
func resume(p *os.Process) error { return p.Signal(syscall.SIGCONT) }
