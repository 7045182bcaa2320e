import ArgumentParser

struct CompletionsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "completions",
        abstract: "Print a completion script for a shell.",
        discussion: """
            bash: tacho completions bash > ~/.local/share/bash-completion/completions/tacho
            zsh:  tacho completions zsh > a directory of $fpath, as _tacho
            fish: tacho completions fish > ~/.config/fish/completions/tacho.fish
            """)

    @Argument(
        help: "bash, zsh or fish.", completion: .list(CompletionShell.allCases.map(\.rawValue)),
        transform: { text in
            guard let shell = CompletionShell(rawValue: text) else {
                throw ValidationError("expected bash, zsh or fish")
            }
            return shell
        })
    var shell: CompletionShell

    func run() { print(Tacho.completionScript(for: shell)) }
}
