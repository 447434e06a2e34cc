package service

import (
	"cmp"
	"os"
	"path/filepath"
	"runtime"
)

// CacheDir returns the folder for compiled modules: the one that is named, or else one in
// the user's cache. It returns "" if there is none; modules are then compiled again.
func CacheDir(named string) string {
	if named != "" {
		return named
	}
	if d, err := os.UserCacheDir(); err == nil {
		return filepath.Join(d, "polyvoke", "modules")
	}
	return ""
}

// DataDir returns the folder for data that the user's system has, or "". env reads a variable, as os.Getenv does.
func DataDir(env func(string) string) string {
	home := cmp.Or(env("HOME"), env("USERPROFILE"))
	base := env("XDG_DATA_HOME")
	switch {
	case base != "":
	case runtime.GOOS == "windows":
		base = env("LOCALAPPDATA")
	case home == "":
	case runtime.GOOS == "darwin":
		base = filepath.Join(home, "Library", "Application Support")
	default:
		base = filepath.Join(home, ".local", "share")
	}
	if base == "" {
		return ""
	}
	return filepath.Join(base, "polyvoke")
}
