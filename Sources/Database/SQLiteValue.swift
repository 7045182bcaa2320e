import CSQLite

/// A value of a column or a parameter.
package enum SQLiteValue: Equatable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case blob([UInt8])
}

extension SQLiteStatement {
    /// The columns of the row that `step` has come to.
    var row: [SQLiteValue] {
        (0..<columnCount).map { column in
            switch type(column) {
            case SQLITE_INTEGER: .integer(integer(column))
            case SQLITE_FLOAT: .real(real(column))
            case SQLITE_TEXT: .text(text(column) ?? "")
            case SQLITE_BLOB: .blob(blob(column))
            default: .null
            }
        }
    }

    func bind(_ index: Int32, _ value: SQLiteValue) {
        switch value {
        case .null: bind(index, nil as Int64?)
        case .integer(let number): bind(index, number)
        case .real(let number): bind(index, number)
        case .text(let text): bind(index, text)
        case .blob(let bytes): bind(index, bytes)
        }
    }
}
