#!/bin/sh
# After removal. State stays: orders in force, verdicts and incidents; only `dpkg --purge` takes it away.
set -e
[ -d /run/systemd/system ] && systemctl daemon-reload
if [ "${1:-}" = purge ]; then
	rm -rf /var/lib/fairlead
	rmdir --ignore-fail-on-non-empty /etc/fairlead/zones.d /etc/fairlead 2>/dev/null || true
fi
exit 0
