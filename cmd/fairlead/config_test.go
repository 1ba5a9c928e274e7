package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fairlead-dns/fairlead/cmd/fairlead/exit"
	"github.com/fairlead-dns/fairlead/cmd/fairlead/terminal"
	"github.com/fairlead-dns/fairlead/plugin/admin/api"
)

func TestWriteReload(t *testing.T) {
	file := func(name, hash, outcome string, problems ...string) api.ReloadedFile {
		return api.ReloadedFile{File: api.File{Path: name, Hash: hash, Problems: problems}, Outcome: outcome}
	}
	var b bytes.Buffer
	result := &api.ReloadResult{Files: []api.ReloadedFile{
		file("a.yaml", "aa", api.ReloadTakenUp), file("b.yaml", "bb", api.ReloadUnchanged), file("c.yaml", "cc", api.ReloadRolledBack),
		file("d.yaml", "dd", api.ReloadBroken, "d.yaml:3:1: error: what: unknown key\n  what: 1\n"), file("e.yaml", "", api.ReloadBroken),
	}}
	require.Equal(t, exit.Silent(exit.Degraded), writeReload(&b, result))
	require.Equal(t, `a.yaml: taken up, aa is in force
b.yaml: unchanged, bb is in force
c.yaml: rolled back, cc is in force
d.yaml: broken, the last good version dd runs on
    d.yaml:3:1: error: what: unknown key
      what: 1
e.yaml: broken, nothing of it is served
the new configuration is not in force yet; see `+"`fairlead status`\n", b.String())
	require.NoError(t, writeReload(&b, &api.ReloadResult{Served: true, Files: result.Files[:3]}))
}

func TestWriteConfig(t *testing.T) {
	var b bytes.Buffer
	at := time.Now()
	kept := []api.KeptVersion{{Hash: "bb", KeptAt: at}, {Hash: "aa", KeptAt: at}}
	writeConfig(&b, &api.Config{Files: []api.ConfigFile{
		{File: api.File{Path: "a.yaml", Hash: "bb"}, Kept: kept}, {File: api.File{Path: "b.yaml", Hash: "aa", LastGood: true}}, {File: api.File{Path: "c.yaml"}},
		{File: api.File{Path: "d.yaml", Hash: "aa", RolledBack: &api.Rollback{Actor: "ada", Reason: "INC-7", At: at}}, Kept: kept},
	}}, terminal.Style{})
	for _, want := range []string{`in use +a.yaml +bb +bb aa`, `last good +b.yaml +aa`, `not served +c.yaml`, `rolled back +d.yaml +aa +bb aa +by ada at .*: INC-7`} {
		require.Regexp(t, want, b.String())
	}
}
