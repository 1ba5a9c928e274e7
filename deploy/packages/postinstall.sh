#!/bin/sh
# After unpacking, of deb ("configure" and the version before, if any) and rpm (1 first, 2 upgrade).
set -e
case "${1:-}" in
abort-*) exit 0 ;;
esac
command -v systemd-sysusers >/dev/null && systemd-sysusers /usr/lib/sysusers.d/fairlead.conf
command -v systemd-tmpfiles >/dev/null && systemd-tmpfiles --create /usr/lib/tmpfiles.d/fairlead.conf
# Not enabled: a node needs a zone before it can start. A running node goes on with the new program.
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	if [ "${1:-}" = 2 ] || { [ "${1:-}" = configure ] && [ -n "${2:-}" ]; }; then
		systemctl try-restart fairlead.service
	fi
fi
exit 0
