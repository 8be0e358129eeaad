/// Finds the word that somebody meant who wrote one that nobody knows.
package enum Spelling {
    /// The known word that is closest to a mistyped one, nil where each is more than `most` letters away.
    ///
    /// Among equally close ones the first by the alphabet.
    package static func nearest(to word: String, in known: some Sequence<String>, within most: Int) -> String?
    {
        known.map { (distance(word, $0), $0) }.filter { $0.0 <= most }.min { $0 < $1 }?.1
    }

    /// How many letters must be added, dropped or changed to turn one word into the other (Levenshtein).
    private static func distance(_ a: String, _ b: String) -> Int {
        let b = Array(b)
        var row = Array(0...b.count)
        for (i, x) in a.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for (j, y) in b.enumerated() {
                let cost = diagonal + (x == y ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(cost, row[j] + 1, row[j + 1] + 1)
            }
        }
        return row[b.count]
    }
}
