/// First in, first out, at a cost that does not depend on how many wait.
struct Fifo<Element> {
    private var items: [Element?] = []
    private var first = 0

    var isEmpty: Bool { first == items.count }
    var count: Int { items.count - first }

    mutating func append(_ element: Element) { items.append(element) }

    /// The oldest element, nil when there is none.
    mutating func popFirst() -> Element? {
        guard first < items.count else { return nil }
        let element = items[first].take()
        first += 1
        if first == items.count {
            items.removeAll(keepingCapacity: items.capacity <= 64)
            first = 0
        } else if first > 1_024, first > items.count / 2 {
            items.removeFirst(first)
            first = 0
        }
        return element
    }

    mutating func removeAll() {
        items = []
        first = 0
    }
}
