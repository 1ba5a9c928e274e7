// Command strict reads Kubernetes manifests from its standard input and decodes each as strictly as an API server does with strict
// validation of fields: what no type has, or has twice, is an error. It prints the kinds and names that it has read.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
)

func main() {
	if err := check(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// check reads all documents and reports all mistakes at once.
func check(in io.Reader, out io.Writer) error {
	decoder := json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme.Scheme, scheme.Scheme, json.SerializerOptions{Yaml: true, Strict: true})
	var errs []error
	for documents := yaml.NewYAMLReader(bufio.NewReader(in)); ; {
		text, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return errors.Join(errs...)
		}
		if err != nil {
			return errors.Join(append(errs, err)...)
		}
		if empty(text) {
			continue
		}
		object, kind, err := decoder.Decode(text, nil, nil)
		if err != nil {
			errs = append(errs, fmt.Errorf("%v: %w", kind, err))
			continue
		}
		m, err := meta.Accessor(object)
		if err != nil {
			errs = append(errs, fmt.Errorf("%v: %w", kind, err))
			continue
		}
		fmt.Fprintf(out, "%s/%s\n", kind.Kind, m.GetName())
	}
}

// empty tells whether a document has nothing but comments.
func empty(text []byte) bool {
	var any map[string]any
	return yaml.Unmarshal(text, &any) == nil && len(any) == 0
}
