package node

import (
	_ "embed"
	"strings"
)

//go:embed probe.sh
var probeSh string //nolint:gochecknoglobals // go:embed needs a variable; nothing assigns it

//go:embed probe.ps1
var probePs1 string //nolint:gochecknoglobals // as above

// Script is the probe for an operating system as ARM names it: that of Windows
// for "Windows" in any case, else that of Linux.
func Script(os string) string {
	if strings.EqualFold(os, "windows") {
		return probePs1
	}
	return probeSh
}
