# Whether the Go sources are formatted.
{
  runCommand,
  go,
  src,
}:

runCommand "livebuild-format" { nativeBuildInputs = [ go ]; } ''
  cd ${src}
  unformatted=$(gofmt -l cmd internal pkg)
  test -z "$unformatted" || { echo "gofmt would change: $unformatted"; exit 1; }
  touch $out
''
