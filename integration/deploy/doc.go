// Package deploy tests what is below deploy/ with the programs that use it: systemd, dpkg, helm, kubectl. A test leaves itself out
// where its program is missing; `make test-deps` installs those of Debian.
package deploy
