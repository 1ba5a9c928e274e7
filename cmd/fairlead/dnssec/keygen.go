package dnssec

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/miekg/dns"
	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/config"
)

// A keyOrder is what keygen was asked for.
type keyOrder struct {
	dir, algorithm string
	ksk, zsk       bool
	// times are by name in the .private file: Publish, Activate, Inactive, Delete.
	times map[string]*string
}

func keygenCommand() *cobra.Command {
	order := keyOrder{times: make(map[string]*string)}
	cmd := &cobra.Command{
		Use:   "keygen ZONE",
		Short: "make a key for a zone, as files of BIND's form",
		Long: `Keygen makes a key and writes its two files, K<zone>+<algorithm>+<tag>.key and .private, and prints their name. Without --ksk or --zsk
the key signs all of the zone by itself; a key-signing key does so too while no zone-signing key of its algorithm is active.
Without times it is in the zone, and signs, from when its files are found on. All nodes of a cluster need the same files: then they
sign alike.

Times are as 2026-01-02T15:04:05Z, or from now on, as +2d.

` + exit.LocalHelp,
		Example: `  fairlead dnssec keygen example.org --dir /etc/fairlead/zones.d/keys
  fairlead dnssec keygen example.org --dir keys --zsk --publish +0s --activate +2h`,
		Args: exit.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if order.ksk && order.zsk {
				return exit.Usagef(cmd, "a key is --ksk or --zsk; without either it is both")
			}
			name, err := order.make(args[0], time.Now())
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), name)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&order.dir, "dir", ".", "where to write the files")
	f.StringVar(&order.algorithm, "algorithm", "ecdsap256sha256", "ecdsap256sha256 or ed25519")
	f.BoolVar(&order.ksk, "ksk", false, "a key-signing key: it signs the keys, and the DS in the parent stands for it")
	f.BoolVar(&order.zsk, "zsk", false, "a zone-signing key: it signs all but the keys")
	for _, t := range [][2]string{{"Publish", "comes into the zone"}, {"Activate", "begins to sign"}, {"Inactive", "ceases to sign"}, {"Delete", "leaves the zone"}} {
		order.times[t[0]] = f.String(strings.ToLower(t[0]), "", "when the key "+t[1])
	}
	return cmd
}

// make makes the key and writes its files. It returns their name without the endings.
func (o *keyOrder) make(zone string, now time.Time) (string, error) {
	algorithm, ok := algorithms[strings.ToLower(o.algorithm)]
	if !ok {
		return "", exit.WithHint(fmt.Errorf("algorithm %q", o.algorithm), "ecdsap256sha256 and ed25519 are known")
	}
	zone, err := config.ZoneName(zone)
	if err != nil {
		return "", err
	}
	times, err := o.timeLines(now)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(o.dir); errors.Is(err, fs.ErrNotExist) {
		return "", exit.WithHint(fmt.Errorf("--dir %s: there is no such directory", o.dir), "mkdir %s", o.dir)
	}
	for {
		k := &dns.DNSKEY{Hdr: dns.RR_Header{Name: zone, Rrtype: dns.TypeDNSKEY, Class: dns.ClassINET, Ttl: 3600}, Flags: 257, Protocol: 3, Algorithm: algorithm}
		if o.zsk {
			k.Flags = 256
		}
		secret, err := k.Generate(256)
		if err != nil {
			return "", err
		}
		base := filepath.Join(o.dir, config.KeyFileName(zone, algorithm, k.KeyTag()))
		err = writeNew(base+".private", k.PrivateKeyString(secret)+times, 0o600)
		if errors.Is(err, fs.ErrExist) {
			// Another key has the tag; validators would have to try both.
			continue
		}
		if err == nil {
			err = writeNew(base+".key", k.String()+"\n", 0o644)
		}
		return base, err
	}
}

// timeLines are the times as the .private file has them.
func (o *keyOrder) timeLines(now time.Time) (string, error) {
	lines := "Created: " + now.UTC().Format("20060102150405") + "\n"
	for _, name := range []string{"Publish", "Activate", "Inactive", "Delete"} {
		if *o.times[name] == "" {
			continue
		}
		t, err := parseInstant(*o.times[name], now)
		if err != nil {
			return "", fmt.Errorf("--%s: %w", strings.ToLower(name), err)
		}
		lines += name + ": " + t.UTC().Format("20060102150405") + "\n"
	}
	return lines, nil
}

// writeNew writes a file that is not there yet.
func writeNew(path, text string, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
