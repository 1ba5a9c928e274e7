package durable

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// syncFS writes everything to the disk that the file system of dir holds back.
func syncFS(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(d.Fd())), d.Close())
}
