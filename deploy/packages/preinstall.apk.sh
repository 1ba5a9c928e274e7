#!/bin/sh
getent group fairlead >/dev/null || addgroup -S fairlead
getent passwd fairlead >/dev/null || adduser -S -D -H -h /var/lib/fairlead -s /sbin/nologin -G fairlead -g "Fairlead DNS" fairlead
exit 0
