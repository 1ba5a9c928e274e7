package ui

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
)

//go:embed static templates dist
var files embed.FS

// assetPath is where assets lie; assetLife how long browsers keep one, whose address has the digest of what is in it.
const (
	assetPath = "/ui/static/"
	assetLife = "public, max-age=31536000, immutable"
)

// mediaTypes are those of the assets; the system's table is not asked, which may not have them.
var mediaTypes = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

// assets are the files that pages load, by name, with their digests in their addresses.
type assets struct {
	content   map[string][]byte
	addresses map[string]string
}

// loadAssets reads ours and those that npm brought.
func loadAssets(from fs.FS) (*assets, error) {
	a := &assets{content: make(map[string][]byte), addresses: make(map[string]string)}
	for _, dir := range []string{"static", "dist"} {
		list, err := fs.ReadDir(from, dir)
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			if mediaTypes[path.Ext(e.Name())] == "" {
				continue
			}
			b, err := fs.ReadFile(from, dir+"/"+e.Name())
			if err != nil {
				return nil, err
			}
			sum := sha256.Sum256(b)
			a.content[e.Name()] = b
			a.addresses[e.Name()] = assetPath + hex.EncodeToString(sum[:6]) + "/" + e.Name()
		}
	}
	return a, nil
}

// live tells whether pages can follow by themselves: not without what npm brings.
func (a *assets) live() bool { return a.content["htmx.js"] != nil && a.content["sse.js"] != nil }

// address is where an asset lies; empty if it is not there.
func (a *assets) address(name string) string { return a.addresses[name] }

// ServeHTTP answers with an asset. They are no secret: the page for logins needs them too.
func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := path.Base(r.URL.Path)
	if r.URL.Path != a.addresses[name] {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", mediaTypes[path.Ext(name)])
	w.Header().Set("Cache-Control", assetLife)
	http.ServeContent(w, r, "", zeroTime, strings.NewReader(string(a.content[name])))
}
