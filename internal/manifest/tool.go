package manifest

import "runtime/debug"

// Running is this program, by what the Go tools recorded: the module's version, and the
// commit that it was built from.
func Running() Tool {
	tool := Tool{Name: "livebuild", Version: "unknown"}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return tool
	}
	if tool.Version = info.Main.Version; tool.Version == "" || tool.Version == "(devel)" {
		tool.Version = "development"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			tool.Version += " (" + s.Value[:12] + ")"
		}
	}
	return tool
}
