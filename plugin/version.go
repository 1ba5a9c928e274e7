package fairlead

import (
	"runtime/debug"

	"github.com/coredns/caddy"
)

// AppName is what a program that is Fairlead itself sets caddy.AppName to, with its version in caddy.AppVersion.
const AppName = "fairlead"

const modulePath = "github.com/fairlead-dns/fairlead"

// version is that of the program, if it is Fairlead, else that of this module inside another program.
func version() string {
	if caddy.AppName == AppName && caddy.AppVersion != "" {
		return caddy.AppVersion
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == modulePath {
			return m.Version
		}
	}
	return "unknown"
}
