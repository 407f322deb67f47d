// A forecast from another project's program.
#include <ATen/ATen.h>

#include <cstdio>

#include "data/synthetic/bouncing_digits.h"
#include "src/config.h"
#include "src/sequence_model.h"

int main() {
    nowcell::ModelOptions options;
    options.layers = {{.filters = 4}};
    auto model = nowcell::make_sequence_model(1, options);
    const auto digits = nowcell::make_bouncing_digits({32, 6, 2, 1, 7}).to(at::kFloat).div(255.0).unsqueeze(2);
    const auto forecast = model->forecast(digits, {}, 3);
    std::printf("%ld frames, %zu keys\n", static_cast<long>(forecast.size(1)), nowcell::all_keys().size());
    return forecast.size(1) == 3 ? 0 : 1;
}
