// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace felix {

// An overload set from lambdas, for std::visit.
template <typename... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <typename... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

}  // namespace felix
