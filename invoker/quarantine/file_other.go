//go:build !unix

package quarantine

import (
	"context"
	"errors"
	"os"
)

// supported reports whether there are journals on this system.
const supported = false

func mapFile(*os.File, int) ([]byte, error)              { return nil, errors.ErrUnsupported }
func tryLock(*os.File) (bool, error)                     { return false, errors.ErrUnsupported }
func lockFolder(context.Context, string) (func(), error) { return nil, errors.ErrUnsupported }
