package main

import (
	"os"
	"strconv"
	"strings"

	clog "github.com/coredns/coredns/plugin/pkg/log"
	"github.com/coreos/go-systemd/v22/daemon"
)

// notify tells the service manager, if NOTIFY_SOCKET names one (sd_notify(3)).
func notify(lines ...string) {
	if _, err := daemon.SdNotify(false, strings.Join(lines, "\n")); err != nil {
		clog.Warningf("Service manager at %s: %v", os.Getenv("NOTIFY_SOCKET"), err)
	}
}

func notifyReady() { notify(daemon.SdNotifyReady, "STATUS=Answering; `fairlead status` has the rest") }

// notifyReloading is followed by notifyReady, whether the reload did or not.
func notifyReloading() {
	lines := []string{daemon.SdNotifyReloading}
	if usec, ok := monotonicUsec(); ok {
		// Type=notify-reload wants it, to tell this reload from an earlier one.
		lines = append(lines, "MONOTONIC_USEC="+strconv.FormatInt(usec, 10))
	}
	notify(lines...)
}

func notifyStopping() { notify(daemon.SdNotifyStopping, "STATUS=Stopping") }
