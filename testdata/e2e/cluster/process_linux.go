package cluster

import "syscall"

// dieWithParent also takes the child out of our process group, so that Ctrl-C
// reaches us alone and we end the children in order.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
