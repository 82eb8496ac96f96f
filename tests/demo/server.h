// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <netinet/in.h>

#include <string>

namespace felix::demo {

// A probe task: answers every TCP connection to `address` with its name and a newline, and closes
// it. Prints one line once it listens. Returns after SIGTERM or SIGINT.
void Serve(const std::string& name, const sockaddr_in& address);

}  // namespace felix::demo
