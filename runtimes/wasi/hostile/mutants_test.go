package hostile

func mutantsChild([]string) int { return 0 }
