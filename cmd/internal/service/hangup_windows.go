package service

import "os"

// hangups returns what tells of each SIGHUP: Windows has none.
func hangups() (told <-chan os.Signal, stop func()) { return nil, func() {} }
