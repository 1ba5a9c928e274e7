package terminal

import (
	"encoding/json"
	"io"

	"sigs.k8s.io/yaml"
)

// WriteDocument writes a document of the API, with the names that it has in JSON, as JSON or YAML.
func WriteDocument(w io.Writer, output string, doc any) error {
	if output == "yaml" {
		text, err := yaml.Marshal(doc)
		if err == nil {
			_, err = w.Write(text)
		}
		return err
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(doc)
}
