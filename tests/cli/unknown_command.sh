dcnn trian data.h5
