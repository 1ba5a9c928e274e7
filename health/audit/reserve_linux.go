package audit

import (
	"errors"
	"os"
	"syscall"
)

// keepSize is FALLOC_FL_KEEP_SIZE of fallocate(2), which package syscall does not name.
const keepSize = 1

func reserve(f *os.File, at, octets int64) error {
	err := syscall.Fallocate(int(f.Fd()), keepSize, at, octets)
	if errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.ENOSYS) {
		return nil
	}
	return os.NewSyscallError("fallocate "+f.Name(), err)
}
