package audit

import "syscall"

// mountSmall mounts 64 kB of memory at dir, which needs root.
func mountSmall(dir string) error { return syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k") }

func unmount(dir string) error { return syscall.Unmount(dir, syscall.MNT_DETACH) }
