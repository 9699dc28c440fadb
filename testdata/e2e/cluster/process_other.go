//go:build !linux

package cluster

import "syscall"

// dieWithParent can promise nothing here: a test that times out leaves its
// children behind.
func dieWithParent() *syscall.SysProcAttr { return nil }
