package config

import (
	"fmt"
	"time"

	"gopkg.in/yaml.v3"
)

// A key is one key of an object: a row of the table of all keys, from which come the strict walk, the JSON Schemas, the reference pages in
// docs/ and `fairlead docs`.
type key struct {
	name     string
	shape    *shape
	required bool
	// doc says what the key does. def is what holds without the key: a value as the file has it, or words; empty where that is nothing.
	doc, def string
	// example is one for keys that the example file does not have, without the name.
	example string
	// fields are the fields of the model that it fills, as Type.Field: what changes there is told under the key's path.
	fields []string
	// plain is set where def is a value that can be written in the file.
	plain bool
	// refused says why the key is known and still an error; it is then no part of the JSON Schema.
	refused string
}

func required(name string, sh *shape) key { return key{name: name, shape: sh, required: true} }
func optional(name string, sh *shape) key { return key{name: name, shape: sh} }

// says gives k its description: whole sentences.
func (k key) says(doc string) key {
	k.doc = doc
	return k
}

// or says what holds without k: the value of a constant as the builder has it, a word of the shape's, or a phrase.
func (k key) or(value any) key {
	switch v := value.(type) {
	case time.Duration:
		k.def, k.plain = DurationText(v), true
	case string:
		k.def, k.plain = v, k.shape.takes(v)
	default:
		k.def, k.plain = fmt.Sprint(v), true
	}
	return k
}

// value is or for a text that the file can have.
func (k key) value(text string) key {
	k.def, k.plain = text, true
	return k
}

// as gives an example of a value that the example file does not have.
func (k key) as(example string) key {
	k.example = example
	return k
}

// fills says which fields of the model the key fills, as Type.Field.
func (k key) fills(fields ...string) key {
	k.fields = fields
	return k
}

// takes tells whether the word can stand in the place of the shape: free text could be a phrase.
func (sh *shape) takes(word string) bool {
	if sh.either != nil {
		return sh.either[0].takes(word)
	}
	if sh.scalar == nil {
		return false
	}
	msg, _ := sh.scalar.check(&yamlNode{Kind: yaml.ScalarNode, Value: word})
	return msg == "" && !sh.scalar.free
}

// seconds is a TTL as the file has it.
func seconds(ttl uint32) time.Duration { return time.Duration(ttl) * time.Second }
