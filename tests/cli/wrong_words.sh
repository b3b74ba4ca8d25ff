# SPDX-License-Identifier: BSD-3-Clause
# Words that a command cannot take, alone or together: a sentence and exit 2, before anything is read or made.
small_data
cp small.h5 kept.h5
try dcnn --color=never
try dcnn help --odd
try dcnn train small.h5 --resume --overwrite
try dcnn train small.h5 --ensemble 2 --then 'epochs=1'
try dcnn train small.h5 --clip-norm 1 --clip-value 1
try dcnn train small.h5 --zoom-range 0.1 --no-augment
try dcnn predict run/best.h5 small.h5 --format kaggle --header ImageId
try dcnn predict run/best.h5 small.h5 --header ImageId,Label
try dcnn tune small.h5 learning-rate
try dcnn tune small.h5 learning-rate=
try dcnn tune small.h5 learning-rate=1e-3,,1e-2
try dcnn tune small.h5 learning-rate=1e-3 learning-rate=1e-2
try dcnn tune small.h5 odd=1,2
try dcnn tune small.h5 epochs=1,2
values=$(seq -s, 1 32)
try dcnn tune small.h5 batch-size="$values" seed="$values" grain="$values"
try dcnn tune small.h5 learning-rate=1e-3,1e-2 --resume --overwrite
try dcnn compare $(seq 33)
cmp small.h5 kept.h5 && ls
