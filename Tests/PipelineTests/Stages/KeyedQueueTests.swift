import TestSupport
import Testing

@testable import Pipeline

/// What waits in order and is found by its key.
@Suite struct KeyedQueueTests {
    @Test func theOrderIsThatOfTheLastArrival() {
        var queue = KeyedQueue<Int, String>()
        for number in 1...4 { #expect(queue.append("\(number)", for: number) == nil) }
        #expect(queue.append("two", for: 2) == "2")
        #expect(queue.remove(3) == "3")
        #expect(queue.remove(3) == nil)
        #expect(queue.look(at: 2) { $0.count } == 3)
        #expect(queue.lookAtOldest { $0 } == "1")
        var seen: [Int] = []
        queue.forEach { key, value in
            seen.append(key)
            value += "!"
            return key != 4
        }
        #expect(seen == [1, 4])
        #expect(queue.popOldest()?.value == "1!")
        #expect(queue.popOldest()?.value == "4!")
        #expect(queue.popOldest()?.value == "two")
        #expect(queue.popOldest() == nil)
        #expect(queue.isEmpty)
    }

    @Test func aPlaceIsUsedAgain() {
        var queue = KeyedQueue<Int, [Int]>()
        for round in 0..<1_000 {
            for key in 0..<3 { _ = queue.append([round], for: key) }
            #expect(queue.count == 3)
            if round.isMultiple(of: 2) { #expect(queue.removeAll() == [[round], [round], [round]]) }
        }
    }

    /// Against a plain model, with keys that come, go and come again.
    @Test func itAgreesWithAList() {
        var random = SeededGenerator(seed: 42)
        var queue = KeyedQueue<Int, Int>()
        var model: [(key: Int, value: Int)] = []
        for step in 0..<20_000 {
            let key = Int.random(in: 0..<12, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0, 1:
                let earlier = model.firstIndex { $0.key == key }.map { model.remove(at: $0).value }
                model.append((key, step))
                #expect(queue.append(step, for: key) == earlier)
            case 2:
                let gone = model.firstIndex { $0.key == key }.map { model.remove(at: $0).value }
                #expect(queue.remove(key) == gone)
            default:
                let oldest = model.isEmpty ? nil : model.removeFirst()
                #expect(queue.popOldest()?.value == oldest?.value)
            }
            #expect(queue.count == model.count)
        }
        #expect(queue.removeAll() == model.map(\.value))
    }
}
