// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <charconv>
#include <string>
#include <string_view>
#include <utility>

#include "fmt/format.h"

#include "compiler/ir/match.h"

namespace felix::ir {
namespace {

using Unit = LimitMatch::Unit;

constexpr std::uint32_t kMostPerSecond = 10'000;

struct NamedUnit {
  Unit unit;
  std::string_view name;
  std::uint32_t seconds;
};
constexpr std::array<NamedUnit, 4> kUnits = {{{Unit::kSecond, "second", 1},
                                              {Unit::kMinute, "minute", 60},
                                              {Unit::kHour, "hour", 3600},
                                              {Unit::kDay, "day", 86400}}};

const NamedUnit& Named(Unit unit) {
  return kUnits[static_cast<std::size_t>(unit)];
}

}  // namespace

std::uint32_t SecondsOf(Unit unit) {
  return Named(unit).seconds;
}

std::optional<LimitMatch> ParseLimit(std::string_view text) {
  LimitMatch limit;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, limit.rate);
  if (error != std::errc() || rest == end || *rest != '/' || limit.rate == 0) return std::nullopt;
  const std::string_view name(rest + 1, static_cast<std::size_t>(end - rest - 1));
  for (const NamedUnit& unit : kUnits) {
    if (name.empty() || unit.name.substr(0, name.size()) != name) continue;
    if (limit.rate > std::uint64_t{kMostPerSecond} * unit.seconds) return std::nullopt;
    limit.unit = unit.unit;
    return limit;
  }
  return std::nullopt;
}

std::string LimitText(const LimitMatch& limit) {
  return fmt::format("{}/{}", limit.rate, Named(limit.unit).name);
}

}  // namespace felix::ir
