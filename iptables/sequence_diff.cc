// SPDX-License-Identifier: Apache-2.0
#include "iptables/sequence_diff.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>

namespace felix::iptables {
namespace {

using Pairs = std::vector<std::pair<std::size_t, std::size_t>>;
using Sequence = std::span<const std::uint32_t>;

// Bounds both the time, O((n + m) * differences), and the trace, about differences^2 integers.
constexpr std::ptrdiff_t kMaxDifferences = 1000;

// E. W. Myers, "An O(ND) difference algorithm and its variations", 1986. Row d of the trace holds
// for each diagonal k = x - y how far in `from` one gets with d differences.
class ShortestEdit {
 public:
  ShortestEdit(Sequence from, Sequence to)
      : from_(from), to_(to), n_(std::ssize(from)), m_(std::ssize(to)) {}

  // Nothing if that takes too many differences.
  std::optional<Pairs> CommonPairs() {
    for (std::ptrdiff_t d = 0; d <= std::min(n_ + m_, kMaxDifferences); ++d) {
      trace_.emplace_back(static_cast<std::size_t>(2 * d + 1), 0);
      for (std::ptrdiff_t k = -d; k <= d; k += 2) {
        const std::ptrdiff_t x = Slide(Start(d, k), k);
        Furthest(d, k) = x;
        if (x >= n_ && x - k >= m_) return WayBack(d, k);
      }
    }
    return std::nullopt;
  }

 private:
  std::ptrdiff_t& Furthest(std::ptrdiff_t d, std::ptrdiff_t k) {
    return trace_[static_cast<std::size_t>(d)][static_cast<std::size_t>(k + d)];
  }

  // Whether the best way onto diagonal k with d differences is an insertion, down from k + 1.
  bool GoesDown(std::ptrdiff_t d, std::ptrdiff_t k) {
    return k == -d || (k != d && Furthest(d - 1, k - 1) < Furthest(d - 1, k + 1));
  }

  // Where that way meets diagonal k.
  std::ptrdiff_t Start(std::ptrdiff_t d, std::ptrdiff_t k) {
    if (d == 0) return 0;
    return GoesDown(d, k) ? Furthest(d - 1, k + 1) : Furthest(d - 1, k - 1) + 1;
  }

  [[nodiscard]] std::ptrdiff_t Slide(std::ptrdiff_t x, std::ptrdiff_t k) const {
    while (x < n_ && x - k < m_ &&
           from_[static_cast<std::size_t>(x)] == to_[static_cast<std::size_t>(x - k)]) {
      ++x;
    }
    return x;
  }

  Pairs WayBack(std::ptrdiff_t d, std::ptrdiff_t k) {
    Pairs pairs;
    for (;; --d) {
      const std::ptrdiff_t start = Start(d, k);
      for (std::ptrdiff_t x = Furthest(d, k); x > start; --x) {
        pairs.emplace_back(x - 1, x - 1 - k);
      }
      if (d == 0) break;
      k += GoesDown(d, k) ? 1 : -1;
    }
    std::reverse(pairs.begin(), pairs.end());
    return pairs;
  }

  Sequence from_;
  Sequence to_;
  std::ptrdiff_t n_;
  std::ptrdiff_t m_;
  std::vector<std::vector<std::ptrdiff_t>> trace_;
};

// The k-th occurrence of a value in one may only stay as the k-th in the other; of these pairs a
// longest ascending subsequence.
Pairs Ascending(Sequence from, Sequence to) {
  std::map<std::uint32_t, std::vector<std::size_t>> places;
  for (std::size_t i = from.size(); i-- > 0;) places[from[i]].push_back(i);
  Pairs candidates;
  for (std::size_t j = 0; j < to.size(); ++j) {
    const auto it = places.find(to[j]);
    if (it == places.end() || it->second.empty()) continue;
    candidates.emplace_back(it->second.back(), j);
    it->second.pop_back();
  }
  constexpr std::size_t kNone = ~std::size_t{0};
  std::vector<std::size_t> ends;  // ends[l]: the candidate that best ends a run of length l + 1
  std::vector<std::size_t> previous(candidates.size(), kNone);
  for (std::size_t c = 0; c < candidates.size(); ++c) {
    const auto place = std::lower_bound(
        ends.begin(), ends.end(), candidates[c].first,
        [&](std::size_t end, std::size_t value) { return candidates[end].first < value; });
    if (place != ends.begin()) previous[c] = *(place - 1);
    if (place == ends.end()) {
      ends.push_back(c);
    } else {
      *place = c;
    }
  }
  Pairs pairs;
  for (std::size_t c = ends.empty() ? kNone : ends.back(); c != kNone; c = previous[c]) {
    pairs.push_back(candidates[c]);
  }
  std::reverse(pairs.begin(), pairs.end());
  return pairs;
}

}  // namespace

Pairs CommonSubsequence(Sequence from, Sequence to) {
  std::size_t front = 0;
  while (front < from.size() && front < to.size() && from[front] == to[front]) ++front;
  std::size_t back = 0;
  while (back < from.size() - front && back < to.size() - front &&
         from[from.size() - 1 - back] == to[to.size() - 1 - back]) {
    ++back;
  }
  Pairs pairs;
  for (std::size_t i = 0; i < front; ++i) pairs.emplace_back(i, i);
  const Sequence from_middle = from.subspan(front, from.size() - front - back);
  const Sequence to_middle = to.subspan(front, to.size() - front - back);
  if (!from_middle.empty() && !to_middle.empty()) {
    auto middle = ShortestEdit(from_middle, to_middle).CommonPairs();
    if (!middle) middle = Ascending(from_middle, to_middle);
    for (const auto& [a, b] : *middle) pairs.emplace_back(a + front, b + front);
  }
  for (std::size_t i = back; i > 0; --i) pairs.emplace_back(from.size() - i, to.size() - i);
  return pairs;
}

}  // namespace felix::iptables
