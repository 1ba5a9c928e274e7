package durable

import (
	"encoding/json"
	"fmt"
	"os"
)

// WriteJSON is WriteFile of v as JSON.
func WriteJSON(path string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return WriteFile(path, b)
}

// ReadJSON reads a file into v whose key "version" must have the given value: what another version of the program means is not
// guessed. Without the file the error is an fs.ErrNotExist.
func ReadJSON(path string, version int, v any) error { return readJSON(path, version, true, v) }

func readJSON(path string, version int, versioned bool, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var head struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return err
	}
	if versioned && head.Version != version {
		return fmt.Errorf("version %d, want %d", head.Version, version)
	}
	return json.Unmarshal(b, v)
}
