package config

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// readTestdata is ReadFile for the files that the example names.
func readTestdata(name string) ([]byte, error) { return os.ReadFile(filepath.Join("testdata", name)) }

func parseExample(t testing.TB) (*Zone, Problems) {
	t.Helper()
	content, err := os.ReadFile("testdata/zone.example.yaml")
	require.NoError(t, err)
	return Parse("zone.example.yaml", content, ParseOptions{ReadFile: readTestdata})
}

func TestExample(t *testing.T) {
	zone, problems := parseExample(t)
	t.Log(problems.String())
	require.NotNil(t, zone)
}
