// Package dnssec is `fairlead dnssec`: it makes keys for zones, and says what is to be told to their parents. It works on files, and prints what nodes say.
package dnssec
