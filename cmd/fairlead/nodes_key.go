package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/config"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

// keyOctets is the length of the keys that are made: AES-256.
const keyOctets = 32

// newIdentity makes a node's private key in the file at path, which must not be there, and returns the public one as node files have it.
func newIdentity(path string) (public string, err error) {
	key, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(key), config.WriteIdentity(path, private)
}

// newKeyring is a keyring of one random key.
func newKeyring() [][]byte {
	key := make([]byte, keyOctets)
	// rand.Read does not fail.
	_, _ = rand.Read(key)
	return [][]byte{key}
}

func identityCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "identity",
		Short: "make or show the key by which other nodes know this one",
		Long: `Identity is a node's private key (Ed25519). It signs what the node says, so that nobody else can say it in its name, whoever has
the keys of gossip. Its public half stands in the node files of all nodes, as public_key.

` + exit.LocalHelp,
		Example: `  fairlead nodes identity new /etc/fairlead/identity.key
  fairlead nodes identity show /etc/fairlead/identity.key`,
		Args: exit.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(&cobra.Command{
		Use: "new FILE", Short: "make an identity; prints the public key for the node files",
		Long:    "New makes a private key in FILE, readable by its owner alone, and prints the public one. A file that is there is not overwritten.\n\n" + exit.LocalHelp,
		Example: `  fairlead nodes identity new /etc/fairlead/identity.key`, Args: exit.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			public, err := newIdentity(args[0])
			if err != nil {
				return keepsFile(err, args[0])
			}
			fmt.Fprintf(cmd.OutOrStdout(), "public_key: %s\n", public)
			return nil
		},
	}, &cobra.Command{
		Use: "show FILE", Short: "print the public key of an identity",
		Long:    "Show prints the public key that belongs to the private one in FILE.\n\n" + exit.LocalHelp,
		Example: `  fairlead nodes identity show /etc/fairlead/identity.key`, Args: exit.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			private, err := config.ReadIdentity(args[0])
			if err != nil {
				return err
			}
			public, _ := private.Public().(ed25519.PublicKey)
			fmt.Fprintf(cmd.OutOrStdout(), "public_key: %s\n", base64.StdEncoding.EncodeToString(public))
			return nil
		},
	})
	return cmd
}

// keepsFile says what to do about a file that is there already.
func keepsFile(err error, path string) error {
	if errors.Is(err, fs.ErrExist) {
		return exit.WithHint(fmt.Errorf("%s exists", path), "it is not overwritten: name another file, or remove it")
	}
	return err
}

func keyringCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keyring",
		Short: "make, or change on all nodes, the keys that encrypt gossip",
		Long: `Keyring is the file of the keys that encrypt gossip: one in base64 on each line. The first one encrypts, all of them decrypt. It is the
same on every node.

A key is replaced in three steps, each of which works on all nodes: add the new one, use it, remove the old one. A step that failed on
some node is repeated before the next one.

` + exit.LocalHelp,
		Example: `  fairlead nodes keyring new /root/next.keys
  fairlead nodes keyring add /root/next.keys --reason "rotation 2026-12"
  fairlead nodes keyring use /root/next.keys --reason "rotation 2026-12"
  fairlead nodes keyring remove /root/last.keys --reason "rotation 2026-12"`,
		Args: exit.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(&cobra.Command{
		Use: "new FILE", Short: "make a keyring of one random key",
		Long:    "New makes a keyring of one random key of 32 octets. Copy the file to every node, or print its key and add it to a running cluster.\n\n" + exit.LocalHelp,
		Example: `  fairlead nodes keyring new /etc/fairlead/gossip.keys`, Args: exit.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := os.Lstat(args[0]); err == nil {
				return keepsFile(fs.ErrExist, args[0])
			}
			if err := config.WriteKeyring(args[0], newKeyring()); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: one key, to be copied to every node\n", args[0])
			return nil
		},
	}, keyringVerb("add", "make a key decrypt, on all nodes"), keyringVerb("use", "make a key that was added the one that encrypts, on all nodes"),
		keyringVerb("remove", "take a key away that does not encrypt, on all nodes"))
	return cmd
}

func keyringVerb(verb, short string) *cobra.Command {
	return nodeOrder(verb+" FILE --reason TEXT", short,
		strings.ToUpper(verb[:1])+verb[1:]+` works on every node, this one last, and changes their keyring files. The key is the first one in FILE, which
`+"`fairlead nodes keyring new`"+` makes; so it stands in no list of processes.`, `  fairlead nodes keyring `+verb+` /root/next.keys --reason "rotation 2026-12"`, cobra.ExactArgs(1),
		func(ctx context.Context, c *client, ask *nodeAsk) (string, any, error) {
			keys, err := config.ReadKeyring(ask.args[0])
			if err != nil {
				return "", nil, err
			}
			req := api.KeyringRequest{Actor: actor(), Reason: ask.reason, DryRun: ask.dryRun, Verb: verb, Key: base64.StdEncoding.EncodeToString(keys[0])}
			var result api.KeyringResult
			if err := ordered(into(&result)(c.Keyring(ctx, req))); err != nil {
				return "", nil, err
			}
			if ask.dryRun {
				return ask.said(verb + ": on " + strings.Join(result.Done, ", ")), &result, nil
			}
			if len(result.Failed) > 0 {
				var why []string
				for node, text := range result.Failed {
					why = append(why, node+": "+text)
				}
				return "", nil, exit.WithHint(fmt.Errorf("%s: not on every node: %s", verb, strings.Join(why, "; ")), "repeat it before the next step")
			}
			return verb + ": done on " + strings.Join(result.Done, ", "), &result, nil
		})
}
