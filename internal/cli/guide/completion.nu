# Completes livebuild's commands in nushell, by asking livebuild as other shells do.
let former = ($env.config.completions?.external?.completer? | default null)
$env.config.completions.external.enable = true
$env.config.completions.external.completer = {|spans: list<string>|
    if ($spans.0 | path basename) != "livebuild" {
        if $former == null { null } else { do $former $spans }
    } else {
        # Lines of a word, a tab and its description; then a colon and how to go on (cobra,
        # "Active help and directives"): 1 an error, 8 extensions of files, 16 folders.
        let answer = (^$spans.0 __complete ...($spans | skip 1) e> /dev/null | lines)
        let directive = ($answer | last | default ":1" | str replace ":" "" | into int)
        let given = ($spans | last)
        let words = ($answer | drop 1 | each {|line|
            let parts = ($line | split row --number 2 "\t")
            { value: $parts.0, description: ($parts.1? | default "") }
        } | where {|word| $word.value | str starts-with $given } | each {|word|
            if $word.value =~ '[^\w#%+,./:=@-]' { $word | update value $"`($word.value)`" } else { $word }
        })
        if ($directive | bits and 25) != 0 or ($words | is-empty) { null } else { $words }
    }
}
