package node

import (
	_ "embed"
	"strings"
)

//go:embed probe.sh
var probeSh string

//go:embed probe.ps1
var probePs1 string

// Script is the probe for an operating system as ARM names it: that of Windows
// for "Windows" in any case, else that of Linux.
func Script(os string) string {
	if strings.EqualFold(os, "windows") {
		return probePs1
	}
	return probeSh
}
