#!/bin/sh
install -d -m 0750 -o root -g fairlead /etc/fairlead /etc/fairlead/zones.d
install -d -m 0700 -o fairlead -g fairlead /var/lib/fairlead
exit 0
