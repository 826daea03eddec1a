//go:build !linux

package redisserver

import (
	"errors"
	"os"
	"syscall"
)

func attributes() *syscall.SysProcAttr { return nil }

func kill(p *os.Process) error { return p.Kill() }
func pause(*os.Process) error  { return errors.ErrUnsupported }
func resume(*os.Process) error { return nil } // nothing here is ever paused
