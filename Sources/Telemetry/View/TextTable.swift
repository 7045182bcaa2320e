/// Rows in columns of equal width, for a terminal.
enum TextTable {
    /// - Parameters:
    ///   - rows: the first has the headings; all have as many columns.
    ///   - roles: the colours of the first rows.
    ///   - right: columns of numbers.
    static func text(
        _ rows: [[String]], _ roles: [TerminalStyle.Role?], right: Set<Int>, _ style: TerminalStyle
    ) -> String {
        let columns = rows[0].indices
        let widths = columns.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.enumerated().map { number, row in
            let cells = columns.map { column in
                if right.contains(column) { return TerminalText.rightAligned(row[column], widths[column]) }
                return column == columns.last ? row[column] : TerminalText.padded(row[column], widths[column])
            }
            return style.paint(cells.joined(separator: "  "), number < roles.count ? roles[number] : nil)
        }.joined(separator: "\n")
    }
}
